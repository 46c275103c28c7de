//! What an API is asked, and how: the endpoint, its authentication, its pages.

mod auth;
mod client;
mod endpoint;
mod pagination;
mod template;

pub use auth::{
    ApiKeyLocation, Auth, ClientAuthentication, JwtAlgorithm, JwtSpec, OAuth2Spec, RefreshTokenSpec, SessionSpec,
    SessionToken,
};
pub use client::{ClientSpec, Header, RateLimitSpec, RetrySpec, Timeouts, is_loopback};
pub use endpoint::{
    Action, Asked, BodySpec, EndpointSpec, EndpointUrl, GraphqlErrors, Method, RecordFormat, ResponseAction, join_url,
};
pub use pagination::{
    FollowFrom, FollowSpec, FollowTo, FollowTotal, OffsetSpec, PageNumberSpec, PaginationSpec, Placement,
};
pub use template::{Placeholder, Template, TemplateError, TemplatePart};
