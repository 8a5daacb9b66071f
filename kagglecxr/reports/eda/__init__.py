"""What `explore` shows of the data: numbers, pictures, and the page that holds them."""
