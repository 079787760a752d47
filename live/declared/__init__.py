"""Rankings that users declare on the page, of any relation that the site may read.

`registry` keeps RANKINGS as they are in the database. `choices` and `previews` are what the form shows, and
`forms` checks it. `keeping` makes leading rows where that is asked for.
"""
