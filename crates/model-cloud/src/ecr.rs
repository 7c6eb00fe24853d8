//! ECR as a client meets it: repositories, tags that keep what they name, scans that take their time.
//!
//! Layers are not here: a registry has them. Where one stands behind the model, its host is said with
//! [`Cloud::set_registry`], and images that were pushed to it are told with [`Cloud::script_scan`].

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::answer::{Given, Refused, needed, put, text, texts, time};
use crate::cloud::Cloud;

/// How long a token is good for.
const TOKEN_MS: u64 = 12 * 3_600_000;
/// `AWS:model-password` in base64.
const TOKEN: &str = "QVdTOm1vZGVsLXBhc3N3b3Jk";
/// How long a scan takes that nobody scripted.
const SCAN_MS: u64 = 10_000;

/// The registry of the account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    host: Option<String>,
    repositories: BTreeMap<String, Repository>,
    scans: BTreeMap<String, Scan>,
}

#[derive(Clone, Debug)]
struct Repository {
    arn: String,
    uri: String,
    created: u64,
    mutability: String,
    exclusions: Vec<String>,
    scans_on_push: bool,
    images: BTreeMap<String, Image>,
    tags: BTreeMap<String, String>,
    scans: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
struct Image {
    manifest: String,
    media_type: String,
    pushed: u64,
}

/// What a scan of an image comes to.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// AWS's word for how it ends; `COMPLETE` where empty.
    pub status: String,
    /// How many findings of each severity.
    pub counts: BTreeMap<String, u64>,
}

impl Cloud {
    /// Where the registry of the account is, if not at its usual name.
    pub fn set_registry(&mut self, host: &str) {
        self.ecr.host = Some(host.to_owned());
    }

    /// What a scan of the image with this digest will come to. The image counts as pushed.
    pub fn script_scan(&mut self, digest: &str, scan: Scan) {
        self.ecr.scans.insert(digest.to_owned(), scan);
    }
}

pub(crate) fn answer(cloud: &mut Cloud, operation: &str, body: &Json) -> Given {
    match operation {
        "GetAuthorizationToken" => Ok(token(cloud)),
        "CreateRepository" => create(cloud, body),
        "DescribeRepositories" => describe(cloud, body),
        "PutImage" => put_image(cloud, body),
        "BatchGetImage" => get_images(cloud, body),
        "BatchDeleteImage" => delete_images(cloud, body),
        "DeleteRepository" => delete(cloud, body),
        "DescribeImages" => describe_images(cloud, body),
        "StartImageScan" => start_scan(cloud, body),
        "DescribeImageScanFindings" => findings(cloud, body),
        _ => Err(Refused::new("UnknownOperationException", "")),
    }
}

fn host(cloud: &Cloud) -> String {
    let usual = || format!("{}.dkr.ecr.{}.amazonaws.com", cloud.names.account, cloud.names.region);
    cloud.ecr.host.clone().unwrap_or_else(usual)
}

fn token(cloud: &Cloud) -> Json {
    json!({"authorizationData": [{
        "authorizationToken": TOKEN, "expiresAt": time(cloud.now + TOKEN_MS),
        "proxyEndpoint": format!("https://{}", host(cloud)),
    }]})
}

fn create(cloud: &mut Cloud, body: &Json) -> Given {
    let name = needed(body, "repositoryName")?.to_owned();
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "._-/".contains(it);
    if !(2..=256).contains(&name.len()) || !name.chars().all(plain) {
        let said = "Invalid parameter at 'repositoryName' failed to satisfy constraint: \
                    'must satisfy regular expression'";
        return Err(Refused::parameter(said));
    }
    let account = cloud.names.account.clone();
    if cloud.ecr.repositories.contains_key(&name) {
        let said = format!(
            "The repository with name '{name}' already exists in the registry with id '{account}'"
        );
        return Err(Refused::new("RepositoryAlreadyExistsException", said));
    }
    let filters = body["imageTagMutabilityExclusionFilters"].as_array().into_iter().flatten();
    let repository = Repository {
        arn: format!("arn:aws:ecr:{}:{account}:repository/{name}", cloud.names.region),
        uri: format!("{}/{name}", host(cloud)),
        created: cloud.now,
        mutability: text(body, "imageTagMutability").unwrap_or("MUTABLE").to_owned(),
        exclusions: filters.filter_map(|it| text(it, "filter").map(str::to_owned)).collect(),
        scans_on_push: body["imageScanningConfiguration"]["scanOnPush"] == true,
        images: BTreeMap::new(),
        tags: BTreeMap::new(),
        scans: BTreeMap::new(),
    };
    let given = json!({"repository": shown(&account, &name, &repository)});
    cloud.ecr.repositories.insert(name, repository);
    Ok(given)
}

fn shown(account: &str, name: &str, it: &Repository) -> Json {
    let mut shown = json!({
        "repositoryArn": it.arn, "registryId": account, "repositoryName": name,
        "repositoryUri": it.uri, "createdAt": time(it.created),
        "imageTagMutability": it.mutability,
        "imageScanningConfiguration": {"scanOnPush": it.scans_on_push},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    });
    let filters: Vec<Json> = it
        .exclusions
        .iter()
        .map(|filter| json!({"filterType": "WILDCARD", "filter": filter}))
        .collect();
    put(
        &mut shown,
        "imageTagMutabilityExclusionFilters",
        (!filters.is_empty()).then(|| Json::from(filters)),
    );
    shown
}

fn describe(cloud: &Cloud, body: &Json) -> Given {
    let wanted = texts(body, "repositoryNames");
    let account = &cloud.names.account;
    if let Some(name) = wanted.iter().find(|name| !cloud.ecr.repositories.contains_key(*name)) {
        return Err(no_repository(account, name));
    }
    let found = cloud.ecr.repositories.iter();
    let found = found.filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let shown: Vec<Json> = found.map(|(name, it)| shown(account, name, it)).collect();
    Ok(json!({"repositories": shown}))
}

fn no_repository(account: &str, name: &str) -> Refused {
    let said = format!(
        "The repository with name '{name}' does not exist in the registry with id '{account}'"
    );
    Refused::new("RepositoryNotFoundException", said)
}

fn repository<'a>(
    cloud: &'a mut Cloud,
    body: &Json,
) -> Result<(&'a mut Repository, String), Refused> {
    let name = needed(body, "repositoryName")?.to_owned();
    let account = cloud.names.account.clone();
    let found = cloud.ecr.repositories.get_mut(&name);
    Ok((found.ok_or_else(|| no_repository(&account, &name))?, name))
}

impl Repository {
    /// Whether a tag may name another image.
    fn may_move(&self, tag: &str) -> bool {
        let excluded = self.exclusions.iter().any(|filter| fits(filter, tag));
        match self.mutability.as_str() {
            "IMMUTABLE" => false,
            "IMMUTABLE_WITH_EXCLUSION" => excluded,
            "MUTABLE_WITH_EXCLUSION" => !excluded,
            _ => true,
        }
    }

    fn digest(&self, id: &Json) -> Option<String> {
        let by_tag = text(id, "imageTag").and_then(|tag| self.tags.get(tag).cloned());
        text(id, "imageDigest").map(str::to_owned).or(by_tag)
    }
}

/// `*` stands for anything.
fn fits(filter: &str, tag: &str) -> bool {
    match filter.split_once('*') {
        None => filter == tag,
        Some((before, after)) => {
            let Some(rest) = tag.strip_prefix(before) else { return false };
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(after, &rest[at..]))
        }
    }
}

fn put_image(cloud: &mut Cloud, body: &Json) -> Given {
    let manifest = needed(body, "imageManifest")?.to_owned();
    let (now, account) = (cloud.now, cloud.names.account.clone());
    let (repository, name) = repository(cloud, body)?;
    let hash = Sha256::digest(manifest.as_bytes());
    let digest = hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    if text(body, "imageDigest").is_some_and(|given| given != digest) {
        let said = "The specified image digest does not match the digest computed by ECR";
        return Err(Refused::new("ImageDigestDoesNotMatchException", said));
    }
    let tag = text(body, "imageTag").map(str::to_owned);
    if let Some(tag) = &tag
        && let Some(there) = repository.tags.get(tag)
    {
        if *there == digest {
            let said = format!(
                "Image with digest '{digest}' and tag '{tag}' already exists in the repository \
                 with name '{name}' in registry with id '{account}'"
            );
            return Err(Refused::new("ImageAlreadyExistsException", said));
        }
        if !repository.may_move(tag) {
            let said = format!(
                "The image tag '{tag}' already exists in the '{name}' repository and cannot be \
                 overwritten because the tag is immutable."
            );
            return Err(Refused::new("ImageTagAlreadyExistsException", said));
        }
    }
    let kind = "application/vnd.docker.distribution.manifest.v2+json";
    let media_type = text(body, "imageManifestMediaType").unwrap_or(kind).to_owned();
    let image = Image { manifest: manifest.clone(), media_type: media_type.clone(), pushed: now };
    repository.images.entry(digest.clone()).or_insert(image);
    if repository.scans_on_push {
        repository.scans.entry(digest.clone()).or_insert(now);
    }
    let mut id = json!({"imageDigest": digest});
    if let Some(tag) = tag {
        repository.tags.insert(tag.clone(), digest);
        id["imageTag"] = json!(tag);
    }
    Ok(json!({"image": {
        "registryId": account, "repositoryName": name, "imageId": id,
        "imageManifest": manifest, "imageManifestMediaType": media_type,
    }}))
}

fn get_images(cloud: &mut Cloud, body: &Json) -> Given {
    let account = cloud.names.account.clone();
    let (repository, name) = repository(cloud, body)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in body["imageIds"].as_array().into_iter().flatten() {
        let digest = repository.digest(id);
        let found = digest.and_then(|it| Some((repository.images.get(&it)?, it)));
        let Some((image, digest)) = found else {
            failures.push(json!({
                "imageId": id, "failureCode": "ImageNotFound",
                "failureReason": "Requested image not found",
            }));
            continue;
        };
        let mut shown = json!({"imageDigest": digest});
        put(&mut shown, "imageTag", text(id, "imageTag").map(Json::from));
        images.push(json!({
            "registryId": account, "repositoryName": name, "imageId": shown,
            "imageManifest": image.manifest, "imageManifestMediaType": image.media_type,
        }));
    }
    Ok(json!({"images": images, "failures": failures}))
}

fn delete_images(cloud: &mut Cloud, body: &Json) -> Given {
    let (repository, _) = repository(cloud, body)?;
    let mut deleted = Vec::new();
    for id in body["imageIds"].as_array().into_iter().flatten() {
        let Some(digest) = repository.digest(id) else { continue };
        repository.images.remove(&digest);
        repository.tags.retain(|_, it| *it != digest);
        deleted.push(json!({"imageDigest": digest}));
    }
    Ok(json!({"imageIds": deleted, "failures": []}))
}

fn delete(cloud: &mut Cloud, body: &Json) -> Given {
    let account = cloud.names.account.clone();
    let name = needed(body, "repositoryName")?.to_owned();
    let found = cloud.ecr.repositories.get(&name).ok_or_else(|| no_repository(&account, &name))?;
    if !found.images.is_empty() && body["force"].as_bool() != Some(true) {
        let said = format!("The repository with name '{name}' still contains images");
        return Err(Refused::new("RepositoryNotEmptyException", said));
    }
    let given = json!({"repository": shown(&account, &name, found)});
    cloud.ecr.repositories.remove(&name);
    Ok(given)
}

fn describe_images(cloud: &mut Cloud, body: &Json) -> Given {
    let account = cloud.names.account.clone();
    let (repository, name) = repository(cloud, body)?;
    let wanted = body["imageIds"].as_array().cloned();
    let digests: Vec<String> = match &wanted {
        None => repository.images.keys().cloned().collect(),
        Some(ids) => ids
            .iter()
            .map(|id| {
                let digest = repository.digest(id).filter(|it| repository.images.contains_key(it));
                digest.ok_or_else(|| no_image(&account, &name, id))
            })
            .collect::<Result<_, _>>()?,
    };
    let details = digests.iter().map(|digest| {
        let image = &repository.images[digest];
        let tags = repository.tags.iter().filter(|(_, it)| *it == digest).map(|(tag, _)| tag);
        let tags: Vec<&String> = tags.collect();
        json!({
            "registryId": account, "repositoryName": name, "imageDigest": digest,
            "imageTags": tags, "imagePushedAt": time(image.pushed),
            "imageManifestMediaType": image.media_type, "imageSizeInBytes": image.manifest.len(),
        })
    });
    Ok(json!({"imageDetails": details.collect::<Json>()}))
}

fn no_image(account: &str, name: &str, id: &Json) -> Refused {
    let said = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the \
         repository with name '{name}' in the registry with id '{account}'",
        text(id, "imageDigest").unwrap_or("null"),
        text(id, "imageTag").unwrap_or("null")
    );
    Refused::new("ImageNotFoundException", said)
}

/// The digest of the image that is meant; one whose scan is scripted counts as pushed.
fn meant(cloud: &mut Cloud, body: &Json) -> Result<(String, String), Refused> {
    let account = cloud.names.account.clone();
    let scripted: Vec<String> = cloud.ecr.scans.keys().cloned().collect();
    let (repository, name) = repository(cloud, body)?;
    let id = &body["imageId"];
    let digest = repository.digest(id);
    let is_there = |it: &String| repository.images.contains_key(it) || scripted.contains(it);
    let digest = digest.filter(is_there).ok_or_else(|| no_image(&account, &name, id))?;
    Ok((digest, name))
}

fn start_scan(cloud: &mut Cloud, body: &Json) -> Given {
    let (digest, name) = meant(cloud, body)?;
    let (now, account) = (cloud.now, cloud.names.account.clone());
    let (repository, _) = repository(cloud, body)?;
    repository.scans.insert(digest.clone(), now);
    Ok(json!({
        "registryId": account, "repositoryName": name, "imageId": {"imageDigest": digest},
        "imageScanStatus": {"status": "IN_PROGRESS"},
    }))
}

fn findings(cloud: &mut Cloud, body: &Json) -> Given {
    let (digest, name) = meant(cloud, body)?;
    let (now, account) = (cloud.now, cloud.names.account.clone());
    let scripted = cloud.ecr.scans.get(&digest).cloned().unwrap_or_default();
    let (repository, _) = repository(cloud, body)?;
    let Some(began) = repository.scans.get(&digest).copied() else {
        let said = format!(
            "Image scan does not exist for the image with '{{imageDigest:'{digest}'}}' in the \
             repository with name '{name}' in the registry with id '{account}'"
        );
        return Err(Refused::new("ScanNotFoundException", said));
    };
    let mut given = json!({
        "registryId": account, "repositoryName": name, "imageId": {"imageDigest": digest},
    });
    if now < began + SCAN_MS {
        given["imageScanStatus"] = json!({"status": "IN_PROGRESS"});
        return Ok(given);
    }
    let status = if scripted.status.is_empty() { "COMPLETE" } else { &scripted.status };
    let said = match status {
        "COMPLETE" => "The scan was completed successfully.",
        "UNSUPPORTED_IMAGE" => "UnsupportedImageError: The operating system is not supported.",
        _ => "The scan has no result.",
    };
    given["imageScanStatus"] = json!({"status": status, "description": said});
    if ["COMPLETE", "ACTIVE"].contains(&status) {
        let each = scripted.counts.iter().flat_map(|(severity, count)| {
            (1..=*count).map(move |number| {
                json!({
                    "name": format!("CVE-2026-{severity}-{number}"), "severity": severity,
                    "attributes": [
                        {"key": "package_name", "value": "openssl"},
                        {"key": "package_version", "value": "3.0.1"},
                    ],
                })
            })
        });
        given["imageScanFindings"] = json!({
            "imageScanCompletedAt": time(began + SCAN_MS),
            "vulnerabilitySourceUpdatedAt": time(began),
            "findings": each.collect::<Json>(), "findingSeverityCounts": scripted.counts,
        });
    }
    Ok(given)
}
