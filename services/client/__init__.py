"""What runs at the user's side: files in and out, and REST spoken from there. It never touches the database or imports the API."""
