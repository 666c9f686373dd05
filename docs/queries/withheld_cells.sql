-- Question: How much is withheld, table by table and by kind of period? Much: release longer periods.
-- Reads: prevalence, funnel, pushback, sentiment
-- Columns: table_name, period_kind, cells, withheld, share_withheld
-- Why a cell is withheld is not told. Topics are not here: what is too small among them has no row.
with cells as (
    select 'prevalence' as table_name, period_kind, suppressed from prevalence
    union all
    select 'funnel' as table_name, period_kind, suppressed from funnel
    union all
    select 'pushback' as table_name, period_kind, suppressed from pushback
    union all
    select 'sentiment' as table_name, period_kind, suppressed from sentiment
)

select
    table_name,
    period_kind,
    count(*) as cells,
    count(*) filter (where suppressed) as withheld,
    round(count(*) filter (where suppressed) / count(*), 2) as share_withheld
from cells
group by table_name, period_kind
order by share_withheld desc, table_name, period_kind
