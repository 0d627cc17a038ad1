"""Customer lists: rows understood, written in chunks, and resumed. It never speaks HTTP; the API and the command line do."""
