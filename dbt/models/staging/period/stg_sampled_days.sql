-- Each sampled day has a file, also where nobody was drawn of it: it is covered all the same.
with files as (
    select regexp_extract(file, 'day=([0-9-]{10})', 1) as day
    from glob({{ home_file("private/lake/human_samples/day=*/data.parquet") }})
)

select day::date as day
from files
