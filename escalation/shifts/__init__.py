"""Who works when: shifts, absences, and what happens at the end of a shift."""
