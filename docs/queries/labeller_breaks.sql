-- Question: Where does a series break, because another labeller, question or prompt measured it?
-- Reads: manifest.json
-- Columns: period_kind, period_start, facet, labeller_before, labeller, version_before, version, prompt_changed
with periods as (
    select
        p.kind as period_kind,
        p.start as period_start,
        p.labellers,
        p.facet_versions,
        p.prompt_hashes,
        unnest(map_keys(p.labellers)) as facet
    from (
        select unnest(periods) as p
        from read_json(
            'manifest.json',
            columns = {
                periods: 'struct(kind varchar, "start" date, revision bigint, labellers map(varchar, varchar), facet_versions map(varchar, bigint), prompt_hashes map(varchar, varchar))[]'
            }
        )
    )
    qualify p.revision = max(p.revision) over (partition by p.kind, p.start)
),

beside as (
    select
        period_kind,
        period_start,
        facet,
        labellers[facet] as labeller,
        facet_versions[facet] as version,
        prompt_hashes[facet] as prompt,
        lag(labellers[facet]) over earlier as labeller_before,
        lag(facet_versions[facet]) over earlier as version_before,
        lag(prompt_hashes[facet]) over earlier as prompt_before
    from periods
    window earlier as (partition by period_kind, facet order by period_start)
)

select
    period_kind,
    period_start,
    facet,
    labeller_before,
    labeller,
    version_before,
    version,
    prompt is distinct from prompt_before as prompt_changed
from beside
where
    labeller_before is not null
    and (labeller, version, prompt) is distinct from (labeller_before, version_before, prompt_before)
order by period_kind, period_start, facet
