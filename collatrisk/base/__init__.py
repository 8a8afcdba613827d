"""Ground floor: errors, validation, findings, random keys and the small HTML table. Imports nothing of the house."""
