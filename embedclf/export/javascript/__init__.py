"""A classifier for browsers and Node.js: one module without dependencies, its data, a page."""
