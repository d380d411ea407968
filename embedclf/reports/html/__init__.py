"""HTML pages, each a single file: Jinja2 templates with Matplotlib figures as SVG."""
