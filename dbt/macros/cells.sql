{#
    The numbers of every cell of a table: what is in it, out of what, and all that the release rules ask.

    members       CTE, one row per conversation in a cell: period_key, the cell's keys, user_key, weight
    denominators  CTE, one row per conversation in a denominator: period_key, the keys of `of`, user_key, weight
    grid          CTE, one row per cell that must have a row, with period_key and the cell's keys
    cell          the cell's keys, besides period_key
    of            those of them that choose the denominator

    Writes CTEs, of which `cells` is to be read: the grid's columns, and
        n_conversations, n_users            in the cell
        of_conversations, of_users          in its denominator
        rest_conversations, rest_users      in the denominator, not in the cell (a user can be in both)
        top_user_conversations              the most that one user gives to the cell
        top_two_conversations               the most that two users give together
        cell_weight, of_weight, share       weighted; share is null where the denominator is empty
        residual_square                     for wilson_interval: domain/estimation/wilson.py says what it is
        of_kish                             for wilson_interval: as many independent conversations as the weights leave
#}
{% macro cell_measures(members, denominators, grid, cell, of=[]) -%}
{%- set cell_keys = (["period_key"] + cell) | join(", ") -%}
{%- set of_keys = (["period_key"] + of) | join(", ") -%}
of_by_user as (
    select
        {{ of_keys }},
        user_key,
        count(*) as n,
        sum(weight) as weight,
        sum(weight ^ 2) as weight_square
    from {{ denominators }}
    group by {{ of_keys }}, user_key
),

of_totals as (
    select
        {{ of_keys }},
        sum(n)::bigint as of_conversations,
        count(*) as of_users,
        sum(weight) as of_weight,
        sum(weight ^ 2) as of_weight_square,
        sum(weight) ^ 2 / sum(weight_square) as of_kish
    from of_by_user
    group by {{ of_keys }}
),

cell_by_user as (
    select
        {{ cell_keys }},
        user_key,
        count(*) as n,
        sum(weight) as weight
    from {{ members }}
    group by {{ cell_keys }}, user_key
),

cell_totals as (
    select
        {{ cell_keys }},
        sum(cell_by_user.n)::bigint as n_conversations,
        count(*) as n_users,
        count(*) filter (where cell_by_user.n = of_by_user.n) as users_wholly_in,
        max(cell_by_user.n) as top_user_conversations,
        list_sum(max(cell_by_user.n, 2))::bigint as top_two_conversations,
        sum(cell_by_user.weight) as cell_weight,
        sum(cell_by_user.weight ^ 2) as cell_weight_square,
        sum(cell_by_user.weight * of_by_user.weight) as cell_of_weight
    from cell_by_user
    inner join of_by_user using ({{ of_keys }}, user_key)
    group by {{ cell_keys }}
),

filled as (
    select
        {{ grid }}.*,
        coalesce(n_conversations, 0) as n_conversations,
        coalesce(n_users, 0) as n_users,
        coalesce(of_conversations, 0) as of_conversations,
        coalesce(of_users, 0) as of_users,
        coalesce(of_conversations, 0) - coalesce(n_conversations, 0) as rest_conversations,
        coalesce(of_users, 0) - coalesce(users_wholly_in, 0) as rest_users,
        coalesce(top_user_conversations, 0) as top_user_conversations,
        coalesce(top_two_conversations, 0) as top_two_conversations,
        coalesce(cell_weight, 0) as cell_weight,
        coalesce(of_weight, 0) as of_weight,
        coalesce(cell_weight, 0) / nullif(of_weight, 0) as exact_share,
        coalesce(cell_weight_square, 0) as cell_weight_square,
        coalesce(cell_of_weight, 0) as cell_of_weight,
        of_weight_square,
        of_kish
    from {{ grid }}
    left join of_totals using ({{ of_keys }})
    left join cell_totals using ({{ cell_keys }})
),

cells as (
    select
        * exclude (exact_share, cell_weight_square, cell_of_weight, of_weight_square),
        -- Rounded, so that the order in which threads add cannot show.
        round(exact_share, 12) as share,
        greatest(
            0,
            cell_weight_square - 2 * exact_share * cell_of_weight + exact_share ^ 2 * of_weight_square
        ) / of_weight ^ 2 as residual_square
    from filled
)
{%- endmacro %}


{#
    CTEs `members` and `denominators` for tables with an `all`: under it stands every counted conversation, as how many
    there are needs no label; all other cells are of those that the screen asked about, with their weights. In a census
    that is the same.

    cells    CTE, one row per conversation that was asked about and cell, null where it is in none
    counted  CTE, one row per counted conversation
    cell     the cell's key
#}
{% macro against_everybody(cells, counted, cell) -%}
members as (
    select
        period_key,
        user_key,
        weight,
        {{ cell }},
        'asked' as measured_against
    from {{ cells }}
    where {{ cell }} is not null
    union all by name
    select
        period_key,
        user_key,
        1.0 as weight,
        'all' as {{ cell }},
        'everybody' as measured_against
    from {{ counted }}
),

denominators as (
    select
        period_key,
        user_key,
        weight,
        'asked' as measured_against
    from {{ counted }}
    where is_asked
    union all by name
    select
        period_key,
        user_key,
        1.0 as weight,
        'everybody' as measured_against
    from {{ counted }}
)
{%- endmacro %}
