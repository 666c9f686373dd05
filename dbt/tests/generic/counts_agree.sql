{# The arithmetic of a cell: a part is never more than its whole, a person never more than their conversations. #}
{% test counts_agree(model) %}
    select period_key
    from {{ model }}
    where
        n_conversations > of_conversations
        or n_users > of_users
        or n_users > n_conversations
        or rest_conversations <> of_conversations - n_conversations
        or rest_users < of_users - n_users
        or rest_users > of_users
        or rest_users > rest_conversations
        or top_user_conversations > top_two_conversations
        or top_two_conversations > n_conversations
        or (n_conversations > 0) <> (top_user_conversations > 0)
        or cell_weight > of_weight + 1e-6
{% endtest %}
