/** ev-node's data availability layer: its files have these keys, and this program posts no blocks to it. */

import { duration, fraction, ignored, type Key, list, text, type Unit, whole } from "../key.ts";

/** Every key set to something else than its default is named in one warning that ends so. */
export const daInstead = "blocks are not posted to a DA layer";

function da<Value, U extends Unit>(key: Key<Value, U, "used">): Key<Value, U, "ignored"> {
  return ignored(key, daInstead);
}

export const daKeys = {
  address: da(text("", "DA node.")),
  auth_token: da({ ...text("", "DA token."), isSecret: true }),
  submit_options: da(text("", "DA submit options.")),
  signing_addresses: da(list("DA signing addresses.")),
  namespace: da(text("", "DA namespace of headers.")),
  data_namespace: da(text("", "DA namespace of data.")),
  forced_inclusion_namespace: da(text("", "DA namespace of forced inclusion.")),
  block_time: da(duration("6s", "DA block time.")),
  mempool_ttl: da(whole(0, "DA mempool time to live.")),
  max_submit_attempts: da(whole(30, "DA submit attempts.")),
  request_timeout: da(duration("60s", "DA request timeout.")),
  batching_strategy: da(text("time", "DA batching: immediate, size, time or adaptive.")),
  batch_size_threshold: da(fraction(0.8, "DA batch fill.")),
  batch_max_delay: da(duration("0s", "DA batch delay.")),
  batch_min_items: da(whole(1, "DA batch items.")),
  start_height: da(whole(0, "DA start height.")),
};
