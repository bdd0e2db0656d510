"""A task in pictures: a worker comes, stocks the shelf and goes, with the truth beside them."""
