// The form that asks the customer for a name and an email address before the first handoff. Nobody
// has to answer. Other modules decide when the form is shown, and what happens with the answer.

const form = document.getElementById('about');

export class About {
  /** `answered(values)` gets `{name, email}`, or null if the customer does not want to tell. */
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

  /** Shows the form with the fields in this list, or nothing if the list is empty. */
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
