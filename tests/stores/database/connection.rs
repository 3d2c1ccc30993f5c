//! Connections to a server that shows what it should not, goes away, or stands still.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, Error};

use crate::postgres::{Bouncer, Cluster, Shown};

async fn one(url: &str) -> Result<i32, Error> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = sqlx::PgConnection::connect_with(&options).await?;
    sqlx::query_scalar("SELECT 1").fetch_one(&mut connection).await
}

/// Without a server it is asked again and again for as long as it may take to get a connection.
fn pool(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(3).acquire_timeout(Duration::from_secs(2)).connect_lazy(url).unwrap()
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let Some(cluster) = Cluster::shared() else { return };
    let (one, other) = (cluster.database(), cluster.database());
    let pool = pool(&one.url);
    sqlx::query("CREATE TABLE t (x int)").execute(&pool).await.unwrap();
    let seen = cluster.psql_in(&other.name, "SELECT count(*) FROM pg_tables WHERE tablename = 't'");
    assert_eq!(seen.trim(), "0");
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_is_not_talked_to() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database();
    assert_eq!(one(&database.url).await.unwrap(), 1);
    for shown in [Shown::WrongName, Shown::Expired, Shown::WrongRoot] {
        cluster.show(shown);
        let refused = one(&database.url).await.unwrap_err();
        assert!(matches!(refused, Error::Tls(_) | Error::Io(_)), "{shown:?}: {refused:?}");
    }
    cluster.show(Shown::Good);
    let root = cluster.root().display().to_string();
    let other = database.url.replace(&root, &cluster.another_root().display().to_string());
    assert!(one(&other).await.is_err(), "a root that did not sign the certificate");
    cluster.offer_tls(false);
    let refused = one(&database.url).await.unwrap_err();
    assert!(matches!(refused, Error::Tls(_)), "{refused:?}");
    cluster.offer_tls(true);
    assert_eq!(one(&database.url).await.unwrap(), 1);
}

#[tokio::test]
async fn a_pool_outlives_its_server_however_that_ended() {
    let Some(cluster) = Cluster::own() else { return };
    let pool = pool(&cluster.database().url);
    let add = async || sqlx::query("INSERT INTO t VALUES (1)").execute(&pool).await;
    sqlx::query("CREATE TABLE t (x int)").execute(&pool).await.unwrap();
    add().await.unwrap();
    cluster.restart();
    add().await.unwrap();
    cluster.kill();
    assert!(add().await.is_err());
    cluster.start();
    add().await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&pool).await.unwrap();
    assert_eq!(kept, 3);
}

#[tokio::test]
async fn a_server_that_stands_still_answers_when_it_goes_on() {
    let Some(cluster) = Cluster::own() else { return };
    let pool = pool(&cluster.database().url);
    sqlx::query("SELECT 1").execute(&pool).await.unwrap();
    let paused = cluster.pause();
    let mut asked = Box::pin(sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&pool));
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut asked).await.is_err());
    drop(paused);
    assert_eq!(asked.await.unwrap(), 1);
}

#[tokio::test]
async fn pgbouncer_is_reached_with_tls_on_both_sides_and_may_be_restarted() {
    let Some(cluster) = Cluster::own() else { return };
    let Some(bouncer) = Bouncer::before(&cluster, 2) else { return };
    let database = cluster.database();
    // Debian 12's PgBouncer 1.18 knows no named statements, so none is used outside a transaction.
    let ask = async || {
        let options: PgConnectOptions = bouncer.url(&database.name).parse().unwrap();
        let mut connection = sqlx::PgConnection::connect_with(&options).await?;
        let mut transaction = connection.begin().await?;
        let answer = sqlx::query_scalar::<_, i32>("SELECT 1").persistent(false).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok::<_, Error>(answer)
    };
    assert_eq!(ask().await.unwrap(), 1, "PgBouncer {:?}", bouncer.version);
    let tls = cluster.psql("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'hjemmel'");
    assert_eq!(tls.trim(), "t");
    bouncer.restart();
    assert_eq!(ask().await.unwrap(), 1);
}
