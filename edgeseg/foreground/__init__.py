"""`--segment foreground`: objects and what moves, before a background of the user's choice."""
