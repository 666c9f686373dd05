{# Every period asked for has every cell, also those that nobody is in: a missing row would tell that it is empty. #}
{% test whole_grid(model, rows_a_period) %}
    select
        periods.period_key,
        count(cells.period_key) as n_rows
    from {{ ref("stg_periods") }} as periods
    left join (select * from {{ model }}) as cells on periods.period_key = cells.period_key
    group by periods.period_key
    having count(cells.period_key) <> {{ rows_a_period }}
{% endtest %}
