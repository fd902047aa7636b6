//! The page at `/`: plain HTML, CSS and ES modules, embedded into the binary, without a build step or a foreign request.

use super::error::ApiError;
use actix_web::http::header;
use actix_web::{HttpResponse, web};

const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/// Name, media type and content of every file of the page.
const ASSETS: &[(&str, &str, &str)] = &[
    ("app.css", "text/css; charset=utf-8", include_str!("../../dashboard/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_str!("../../dashboard/app.js")),
    ("chart.js", "text/javascript; charset=utf-8", include_str!("../../dashboard/chart.js")),
    ("format.js", "text/javascript; charset=utf-8", include_str!("../../dashboard/format.js")),
    ("link.js", "text/javascript; charset=utf-8", include_str!("../../dashboard/link.js")),
    ("panels.js", "text/javascript; charset=utf-8", include_str!("../../dashboard/panels.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../dashboard/icon.svg")),
];

fn file(media: &'static str, content: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, media))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(content)
}

async fn index() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("../../dashboard/index.html"))
}

async fn asset(name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let found = ASSETS.iter().find(|(known, ..)| *known == name.as_str());
    found.map(|(_, media, content)| file(media, content)).ok_or_else(|| ApiError::not_found("the page has no such file"))
}

/// The routes of the page.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(super::rest::resource("/", "GET").route(web::get().to(index)));
    config.service(super::rest::resource("/assets/{name}", "GET").route(web::get().to(asset)));
}
