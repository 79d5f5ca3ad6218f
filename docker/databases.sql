-- Run once, when Postgres makes its files: a database of its own for each service, which no other
-- service's account may enter. The passwords come from the environment, never from a file here.
\set ON_ERROR_STOP on
\getenv ledger_password LEDGER_PASSWORD
\getenv mlflow_password MLFLOW_PASSWORD
\getenv prefect_password PREFECT_PASSWORD
CREATE ROLE ledger LOGIN PASSWORD :'ledger_password';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE ROLE prefect LOGIN PASSWORD :'prefect_password';
CREATE DATABASE ledger OWNER ledger;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE prefect OWNER prefect;
REVOKE CONNECT ON DATABASE ledger, mlflow, prefect FROM PUBLIC;
