"""Chat with any engine behind an OpenAI-compatible address. It knows no room and no contract."""
