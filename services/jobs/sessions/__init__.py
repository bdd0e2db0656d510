"""Sessions of speech: heard live by the audio room, kept, and analysed when they end.

It knows neither the contract nor a database.
"""
