"""What goes wrong before or around the mesh, told to the person at the terminal. It knows no cause
in particular.
"""


class Trouble(Exception):
    """Something that a person must know and can act on: what happened, where, and what to do.

    The command line prints its text and ends with code 1; its text is never a stack trace.
    """
