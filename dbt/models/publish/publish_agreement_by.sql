with periods as (
    select * from {{ ref("stg_periods") }}
),

agreement as (
    select * from {{ ref("mart_agreement_by") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    facet,
    dimension,
    group_name,
    labeller,

    -- counts
    n_conversations,
    n_users,
    top_user_conversations,
    top_two_conversations,
    n_labelled,
    either_conversations,
    either_users,

    -- estimates
    accuracy,
    f1,
    kappa,
    kappa_low,
    kappa_high
from agreement
