/** The built service, and a browser to drive. Jest does not map this file's imports, so it uses the scripts as they are. */
module.exports = async function globalSetup() {
  const { buildIfStale } = await import('../../scripts/build-if-stale.mjs');
  const { findBrowser } = await import('../../scripts/find-browser.mjs');
  const browser = findBrowser();
  if (!browser) throw new Error('no Chromium found: install one, or set BROWSER_PATH to its program');
  buildIfStale();
  process.env.LATCHKEY_TEST_BROWSER = browser;
};
