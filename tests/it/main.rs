//! The program as a whole, from outside: real processes, real sockets, killed and stopped at will.
//!
//! Belongs here: what can only be seen when all roles run together. Does not belong here: what one role decides by
//! itself, which is tested beside its code. One module per subject; nothing asserts how long something takes.

mod access;
mod app;
mod article;
mod autobahn;
mod configuration;
mod confined;
mod controls;
mod dialogues;
mod encode;
mod events;
mod frames;
mod h264;
mod hostile;
mod http;
mod lan;
mod metrics;
mod openapi;
mod pictures;
mod plugins;
mod reload;
mod roles;
mod slow;
mod sockets;
mod sources;
mod spread;
mod start;
mod stop;
mod support;
mod verbs;
mod watch_mjpeg;
mod websocket;
