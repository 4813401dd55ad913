//! What is shipped to run the daemon with is run: nginx with the very files that compose mounts, and every
//! other file held against what it promises and against the programs that read it.

mod front;
mod health;
mod nginx;
mod replica;
