// The form that asks the customer for a name and an email address before the first handoff. Nobody
// has to answer. When it is due, and what becomes of the answer, is decided by others.

const form = document.getElementById('about');

export class About {
  /** `answered(values)` takes `{name, email}`, or null if the customer does not want to tell. */
  constructor(answered) {
    const whileBusy = async (values) => {
      form.inert = true;
      await answered(values);
      form.inert = false;
    };
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      whileBusy(Object.fromEntries(new FormData(form)));
    });
    document.getElementById('skip').addEventListener('click', () => whileBusy(null));
  }

  /** Shows the form with the fields in this list; with an empty one nothing. */
  show(fields) {
    form.hidden = fields.length === 0;
    for (const input of form.querySelectorAll('input')) {
      input.disabled = !fields.includes(input.name);
      input.parentElement.hidden = input.disabled;
    }
  }

  focus() {
    form.querySelector('input:enabled').focus({ preventScroll: true });
  }
}
