"""Who writes, what they own, where we write to them: a copy of the company's own records. README.md has the map."""
