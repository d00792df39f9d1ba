"""Files from elsewhere: over the web, out of packages of an index; nothing counts unverified."""
