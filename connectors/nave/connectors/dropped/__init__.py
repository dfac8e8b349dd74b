"""What reading a dropped file safely takes, wherever it comes from: a folder, a file server, or a mail."""
