"""Pages of administrators: departments, canned responses, operators, sites, and what was changed."""
