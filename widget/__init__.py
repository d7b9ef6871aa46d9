"""The widget: what visitors see on a site. `README.md` is the map; all of chat that it may use comes by the door."""
