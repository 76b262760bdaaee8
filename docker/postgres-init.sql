-- Four roles, none of them the superuser: who keeps the state, who keeps the registry, who only reads the registry, and the
-- pages': they keep sessions and the log of who saw whom, read the registry, count in tables of their session, and add to it
-- what people say (`registry run` lets them).
-- The passwords come from the container's environment; a role with none there cannot log in.
\getenv state_password STATE_PASSWORD
\getenv registry_password REGISTRY_PASSWORD
\getenv reader_password READER_PASSWORD
\getenv pages_password PAGES_PASSWORD
CREATE ROLE mainstem LOGIN PASSWORD :'state_password';
CREATE ROLE registry LOGIN PASSWORD :'registry_password';
CREATE ROLE reader LOGIN PASSWORD :'reader_password';
CREATE ROLE pages LOGIN PASSWORD :'pages_password' IN ROLE reader;
CREATE DATABASE mainstem OWNER mainstem;
CREATE DATABASE registry OWNER registry;
CREATE DATABASE access OWNER pages;
REVOKE ALL ON DATABASE mainstem, registry, access FROM PUBLIC;
GRANT CONNECT ON DATABASE registry TO reader;
\connect registry
ALTER DEFAULT PRIVILEGES FOR ROLE registry IN SCHEMA public GRANT SELECT ON TABLES TO reader;
