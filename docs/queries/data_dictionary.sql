-- Question: What does each column mean?
-- Reads: confide.duckdb
-- Columns: table_name, column_name, data_type, meaning
select
    table_name,
    column_name,
    data_type,
    comment as meaning
from duckdb_columns()
where schema_name = 'main' and not internal
order by table_name, column_index
