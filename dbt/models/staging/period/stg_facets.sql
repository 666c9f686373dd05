-- The cells of facets that the labeller measures: written by storage/requests.py from the codebook, nobody's asset.
with facets as (
    select * from read_parquet({{ home_file("private/requests/facets.parquet") }})
)

select
    -- keys
    facet,
    value,
    affective_type,

    -- how it is counted
    of_facet,
    values_told,
    published_in
from facets
