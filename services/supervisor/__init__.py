"""`santral serve`: a data folder, its servers and the four processes. It never does their work."""
