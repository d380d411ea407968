"""Pages for people: jinja2 templates and matplotlib figures in one HTML file each."""
