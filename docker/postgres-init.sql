CREATE DATABASE registry OWNER mainstem;
