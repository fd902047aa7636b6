//! Serves a generated market on the given address, at a multiple of real time: `serve 127.0.0.1:8900 [speed] [key secret]`.

use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_simex::run::{Speed, open_exchange, spawn};
use fulmar_simex::server::{ApiAccount, Floor, ServerConfig, serve};
use fulmar_simex::source::generator::{GeneratorOptions, GeneratorSource};
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8900".to_owned());
    let speed: Speed = arguments.next().map_or(Ok(Speed::REAL), |s| s.parse())?;
    let key = arguments.next().unwrap_or_else(|| "simexKey".to_owned());
    let secret = arguments.next().unwrap_or_else(|| "simexSecret".to_owned());
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(Symbol::new).into_iter().collect::<Result<Vec<_>, _>>()?;
    let options = GeneratorOptions { points_per_minute: 60, ..GeneratorOptions::new(7, &symbols, Timestamp(now)) };
    let source = GeneratorSource::new(&options)?;
    let exchange = open_exchange(&source, |_| {})?;
    let config = ServerConfig { accounts: vec![ApiAccount { key, secret }], lock_step: speed == Speed::Max, ..ServerConfig::default() };
    let floor = Floor::new(exchange, config);
    let server = serve(TcpListener::bind(address)?, Arc::clone(&floor))?;
    println!("serving on {}", server.address());
    let run = spawn(floor, Box::new(source), speed)?;
    let report = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run.finished())?;
    println!("{report:?}");
    Ok(())
}
