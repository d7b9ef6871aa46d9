"""Mail out: letters are rows in the transaction of their cause, and a worker hands them to an SMTP server."""
