"""What a user installs and types: the command line, the local launcher, the models it stands on.

It meets the rooms over the wire and imports none of them. `audio`, `video` and `watching` are for
programs.
"""
