"""Sample data with its truth, made by the project itself, for the demo and the tests."""
