alter table santral.person_export add column handles uuid[] not null default '{}';
with recursive joined as (
    select e.workspace_id, e.id, h.id as handle_id from santral.person_export e
    join santral.handle own on own.workspace_id = e.workspace_id and own.id = e.profile_id
    join santral.handle h on h.workspace_id = own.workspace_id and h.profile_id = own.profile_id
    where e.state in ('asked', 'running', 'done')
    union
    select joined.workspace_id, joined.id, other.handle_id from joined cross join lateral (
        select l.b as handle_id from santral.link l where l.workspace_id = joined.workspace_id and l.a = joined.handle_id
        union all
        select l.a from santral.link l where l.workspace_id = joined.workspace_id and l.b = joined.handle_id
    ) other
)
update santral.person_export e set handles = found.handles
from (select workspace_id, id, array_agg(handle_id) as handles from joined group by workspace_id, id) found
where e.workspace_id = found.workspace_id and e.id = found.id;
