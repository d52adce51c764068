"""Pictures of what a network sees: its filters, the responses of a layer, and what excites a channel most."""
