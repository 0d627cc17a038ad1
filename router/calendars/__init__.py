"""When a team works and what is due by when: calendars, service level targets, and their rows. Nothing here runs by itself."""
