"""Measures what videos show against the scene programs that wrote their prompts; builds no videos."""
