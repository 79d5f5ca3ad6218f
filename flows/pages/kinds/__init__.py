"""Each kind of page: its facts, and the page that is made of them."""
