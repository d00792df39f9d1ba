"""How the mask head was trained; nothing here is needed at run time."""
