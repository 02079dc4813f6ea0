"""The built-in systems, by kind.

Their class attributes take the place of properties of `System`. Type checkers take that for an error, so the modules switch
this rule of pyright off.
"""
