alter table santral.agent add column role text default 'agent';
alter table santral.session add column used_at timestamptz not null default now();
insert into santral.role (workspace_id, name, scopes, visibility)
select w.id, 'agent', '{conversations:read,conversations:write,profiles:read,profiles:write}', 'queue' from santral.workspace w
where exists (select from santral.agent a where a.workspace_id = w.id and a.user_id is null)
  and not exists (select from santral.role r where r.workspace_id = w.id and r.name = 'agent');
insert into santral.role (workspace_id, name, scopes, visibility)
select r.workspace_id, 'agent-without-user', '{conversations:read,conversations:write,profiles:read,profiles:write}', 'queue'
from santral.role r
where r.name = 'agent' and exists (select from santral.agent a where a.workspace_id = r.workspace_id and a.user_id is null)
  and (r.visibility <> 'queue' or not (r.scopes @> '{conversations:read,conversations:write,profiles:read,profiles:write}'
       and r.scopes <@ '{conversations:read,conversations:write,profiles:read,profiles:write}'))
on conflict do nothing;
update santral.agent a set role = 'agent-without-user'
where a.user_id is null
  and exists (select from santral.role r where r.workspace_id = a.workspace_id and r.name = 'agent-without-user');
update santral.agent set role = null where user_id is not null;
create or replace function santral.credential(kind text, public_id text)
returns table (workspace_id uuid, id uuid, secret_hash bytea, scopes text[], subject jsonb, expires_at timestamptz)
language sql stable security definer set search_path = santral as $$
    select k.workspace_id, k.id, k.secret_hash, k.scopes, jsonb_build_object('kind', 'key', 'name', k.name), k.expires_at
    from santral.api_key k
    where $1 = 'key' and k.public_id = $2 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
    union all
    select s.workspace_id, s.id, s.secret_hash, r.scopes,
           jsonb_build_object('kind', s.kind, 'user_id', s.user_id, 'agent_id', s.agent_id, 'inbox_id', s.inbox_id,
                              'visitor_id', s.visitor_id, 'claims', s.claims, 'name', a.name, 'role', r.name,
                              'visibility', r.visibility),
           s.expires_at
    from santral.session s
    left join santral.agent a on a.workspace_id = s.workspace_id and a.id = s.agent_id and a.enabled
    left join santral.user u on u.workspace_id = a.workspace_id and u.id = a.user_id and u.enabled
    left join santral.role r on r.workspace_id = a.workspace_id
                            and r.name = case when a.user_id is null then a.role else u.role end
    where $1 = s.kind and s.public_id = $2 and s.revoked_at is null and s.expires_at > now()
      and (s.agent_id is null or r.name is not null)
      and (s.kind <> 'agent' or s.used_at > now() - interval '30 minutes')
    union all
    select i.workspace_id, i.id, null::bytea, null::text[],
           jsonb_build_object('kind', 'inbox', 'inbox_id', i.id, 'provider', i.provider, 'settings', i.settings,
                              'enabled', i.enabled),
           null::timestamptz
    from santral.inbox i
    where $1 = 'inbox' and i.path_token = $2
$$;
