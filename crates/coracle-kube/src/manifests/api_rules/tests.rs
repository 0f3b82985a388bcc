use serde_json::json;

use super::*;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "shop", "labels": { "app": "shop" } },
        "spec": {
            "selector": { "matchLabels": { "app": "shop" } },
            "template": {
                "metadata": { "labels": { "app": "shop" }, "annotations": { "Example.com/Owner": "me" } },
                "spec": {
                    "containers": [{
                        "name": "shop",
                        "image": "shop:1",
                        "env": [{ "name": "A.b c", "value": "" }],
                        "ports": [
                            { "containerPort": 80, "name": "web" },
                            { "containerPort": 80, "protocol": "UDP", "name": "quic" },
                        ],
                        "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
                        "readinessProbe": { "tcpSocket": { "port": 80 }, "periodSeconds": 0 },
                    }],
                    "volumes": [{ "name": "data", "emptyDir": {} }],
                    "terminationGracePeriodSeconds": 4_294_967_295u32,
                },
            },
        },
    })
}

/// Returns the messages for the Deployment with a value at a JSON pointer.
fn messages(pointer: &str, value: Value) -> Vec<String> {
    let mut object = deployment();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap() {
        Value::Array(items) => items.push(value),
        members => drop(members.as_object_mut().unwrap().insert(key.to_owned(), value)),
    }
    object_problems(&object).into_iter().map(|problem| problem.message).collect()
}

#[test]
fn rejects_what_the_api_server_rejects_in_a_deployment() {
    assert_eq!(object_problems(&deployment()), []);
    let pod = "/spec/template/spec";
    let container = format!("{pod}/containers/0");
    for (pointer, value, expected) in [
        ("/spec/replicas".to_owned(), json!(2_147_483_648u32), "`replicas` cannot be 2147483648"),
        ("/spec/replicas".to_owned(), json!(-1), "`replicas` cannot be -1"),
        ("/spec/replicas".to_owned(), json!("2"), "`replicas` cannot be \"2\""),
        (
            "/spec/strategy".to_owned(),
            json!({ "type": "Recreate", "rollingUpdate": {} }),
            "`rollingUpdate` cannot be used with the strategy `Recreate`",
        ),
        (
            "/spec/selector/matchLabels/app".to_owned(),
            json!("other"),
            "the pods do not have the label `app` that selects them",
        ),
        ("/metadata/labels/x".to_owned(), json!("a b"), "the label `x` has an invalid value"),
        ("/metadata/labels/x".to_owned(), json!(1), "the label `x` has an invalid value"),
        ("/metadata/annotations".to_owned(), json!({ "x": 1 }), "the annotation `x` is not a string"),
        (
            "/metadata/annotations".to_owned(),
            json!({ "x": "y".repeat(262_144) }),
            "the annotations have 262145 bytes; the limit is 262144",
        ),
        (
            format!("{pod}/initContainers"),
            json!([{ "name": "shop", "image": "a" }]),
            "two containers of the pod have the name `shop`",
        ),
        (
            format!("{pod}/initContainers"),
            json!([{ "name": "A", "image": "a" }]),
            "`A` is not a valid name of a container",
        ),
        (
            format!("{pod}/initContainers"),
            json!([{ "name": "a", "image": " a" }]),
            "the container `a` has no valid image",
        ),
        (format!("{pod}/volumes/-"), json!({ "name": "data" }), "`data` is twice in `volumes`"),
        (format!("{container}/env/-"), json!({ "name": "A.b c" }), "`A.b c` is twice in `env`"),
        (format!("{container}/env/-"), json!({ "name": "A=b" }), "`A=b` is not a valid name of a variable"),
        (
            format!("{container}/ports/-"),
            json!({ "containerPort": 80 }),
            "the port `80/TCP` is twice in `ports`",
        ),
        (
            format!("{container}/ports/-"),
            json!({ "containerPort": 81, "name": "web" }),
            "the port `web` is twice in `ports`",
        ),
        (
            format!("{container}/ports/-"),
            json!({ "containerPort": 65_536 }),
            "`containerPort` cannot be 65536",
        ),
        (
            format!("{container}/volumeMounts/-"),
            json!({ "name": "other", "mountPath": "/x" }),
            "the container `shop` mounts the volume `other`, which the pod does not have",
        ),
        (
            format!("{container}/volumeMounts/-"),
            json!({ "name": "data" }),
            "the container `shop` mounts the volume `data` without a `mountPath`",
        ),
        (
            format!("{container}/resources"),
            json!({ "requests": { "cpu": 2 }, "limits": { "cpu": "1500m" } }),
            "the request of `cpu`, `2`, is larger than its limit, `1500m`",
        ),
        (
            format!("{container}/readinessProbe/periodSeconds"),
            json!(4_294_967_295u32),
            "`periodSeconds` cannot be 4294967295",
        ),
        (
            format!("{pod}/imagePullSecrets"),
            json!([{ "name": "a" }, { "name": "a" }]),
            "`a` is twice in `imagePullSecrets`",
        ),
        (
            format!("{pod}/restartPolicy"),
            json!("Never"),
            "a Deployment cannot have the restart policy `Never`",
        ),
        (
            format!("{pod}/securityContext"),
            json!({ "runAsUser": 2_147_483_648u32 }),
            "`runAsUser` cannot be 2147483648",
        ),
    ] {
        assert_eq!(messages(&pointer, value), [expected]);
    }
}

#[test]
fn keys_of_free_tables_are_not_fields() {
    let pod = "/spec/template/spec";
    for (pointer, value) in [
        (format!("{pod}/nodeSelector"), json!({ "replicas": "many" })),
        (
            format!("{pod}/volumes/-"),
            json!({ "name": "c", "csi": { "driver": "d", "volumeAttributes": { "replicas": "3" } } }),
        ),
        ("/spec/template/metadata/annotations/fsGroup".to_owned(), json!("none")),
    ] {
        assert_eq!(messages(&pointer, value), Vec::<String>::new(), "{pointer}");
    }
}

#[test]
fn rejects_sizes_of_zero_and_objects_over_the_limit_of_the_store() {
    let claim = |size: Value| json!({ "kind": "PersistentVolumeClaim", "spec": { "resources": { "requests": { "storage": size } } } });
    for (size, count) in [
        (json!("0"), 1),
        (json!(0), 1),
        (json!("0.0Gi"), 1),
        (json!("-1"), 1),
        (json!("1n"), 0),
        (json!(5), 0),
    ] {
        assert_eq!(object_problems(&claim(size.clone())).len(), count, "{size}");
        let set = json!({ "kind": "StatefulSet", "spec": { "volumeClaimTemplates": [claim(size.clone())] } });
        assert_eq!(object_problems(&set).len(), count, "{size}");
    }
    let with_argument = |text: String| messages("/spec/template/spec/containers/0/args", json!([text]));
    assert_eq!(with_argument("<".repeat(1 << 18)), Vec::<String>::new());
    let large = with_argument("<".repeat(1 << 19));
    assert!(large.len() == 1 && large[0].contains("the API server reads at most 3145728"), "{large:?}");
    let large = with_argument("x".repeat(3 << 19));
    assert!(large.len() == 1 && large[0].contains("the cluster stores at most 1572864"), "{large:?}");
}
