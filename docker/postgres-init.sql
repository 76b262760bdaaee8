-- Four roles, none of them the superuser: who keeps the state, who keeps the registry, who only reads the registry, who keeps
-- the pages' sessions and the log of who saw whom.
-- The passwords come from the container's environment; a role with none there cannot log in.
\getenv state_password STATE_PASSWORD
\getenv registry_password REGISTRY_PASSWORD
\getenv reader_password READER_PASSWORD
\getenv access_password ACCESS_PASSWORD
CREATE ROLE mainstem LOGIN PASSWORD :'state_password';
CREATE ROLE registry LOGIN PASSWORD :'registry_password';
CREATE ROLE reader LOGIN PASSWORD :'reader_password';
CREATE ROLE access LOGIN PASSWORD :'access_password';
CREATE DATABASE mainstem OWNER mainstem;
CREATE DATABASE registry OWNER registry;
CREATE DATABASE access OWNER access;
REVOKE ALL ON DATABASE mainstem, registry, access FROM PUBLIC;
GRANT CONNECT ON DATABASE registry TO reader;
\connect registry
ALTER DEFAULT PRIVILEGES FOR ROLE registry IN SCHEMA public GRANT SELECT ON TABLES TO reader;
